package softphone

// keys turns telephone-event packets (RFC 4733) into keys: each once, though a
// key is many packets and its end is sent three times.
type keys struct {
	event uint8
	at    uint32 // the timestamp of a key is that of its beginning, in all its packets
	held  bool   // begun, and not told of yet
	known bool   // at is of a key
}

const keypad = "0123456789*#ABCD" // by event code (RFC 4733 §3.2)

// pressed returns the keys that a packet tells of: at its end, or, where all
// three packets of the end were lost, when the next key begins.
func (k *keys) pressed(p packet) []rune {
	if len(p.payload) < 4 || int(p.payload[0]) >= len(keypad) {
		return nil
	}
	if behind := int32(p.timestamp - k.at); k.known && behind < 0 && behind > -10*clockRate {
		return nil // late, of a key before
	}
	var told []rune
	if !k.known || p.timestamp != k.at {
		if k.held {
			told = append(told, rune(keypad[k.event]))
		}
		*k = keys{event: p.payload[0], at: p.timestamp, held: true, known: true}
	}
	const end = 1 << 7
	if k.held && p.payload[1]&end != 0 {
		k.held = false
		told = append(told, rune(keypad[k.event]))
	}
	return told
}
