package browser_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"hotline/test/browser"
)

// loop is a page whose microphone calls itself.
const loop = `<!doctype html><title>loop</title><button id=call>call</button><p id=state></p><script type=module>
document.querySelector('#call').onclick = async () => {
  const say = (text) => document.querySelector('#state').textContent = text;
  try {
    const mine = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
    const a = new RTCPeerConnection(), b = new RTCPeerConnection();
    a.onicecandidate = (e) => b.addIceCandidate(e.candidate); b.onicecandidate = (e) => a.addIceCandidate(e.candidate);
    b.ontrack = (e) => { const audio = new Audio(); audio.srcObject = e.streams[0]; audio.play(); };
    mine.getTracks().forEach((t) => a.addTrack(t, mine));
    await a.setLocalDescription(); await b.setRemoteDescription(a.localDescription);
    await b.setLocalDescription(); await a.setRemoteDescription(b.localDescription);
    say('calls');
  } catch (error) { say(error.name); }
};
</script>`

func serve(t *testing.T) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, loop) }))
	t.Cleanup(server.Close)
	return server.URL
}

// What is said into the microphone of a real Chromium comes out of a call of its page, and is heard as that voice.
func TestAPageIsSpokenToAndHeard(t *testing.T) {
	tab := browser.Start(t, browser.Options{Name: "the agent", Voice: 350, Voices: map[string]int{"agent": 350, "caller": 500}}).Open(serve(t))
	tab.Click("#call")
	tab.Until(`document.querySelector('#state').textContent === 'calls'`)
	heard := tab.Hears("voice.agent", 0)
	tab.Hears("voice.agent", heard.At+1e9)
	tab.HearsNot("voice.caller", 0)
}

// A person who does not let pages use the microphone.
func TestAMicrophoneMayBeRefused(t *testing.T) {
	tab := browser.Start(t, browser.Options{Name: "the agent", NoMicrophone: true}).Open(serve(t))
	tab.Click("#call")
	tab.Until(`document.querySelector('#state').textContent === 'NotAllowedError'`)
}
