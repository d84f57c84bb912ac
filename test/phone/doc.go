// Package phone owns a SIP phone for tests: signalling on sipgo, RTP both ways
// at 20 ms, keys by RFC 4733, hold by re-INVITE, and every way in which a real
// phone or its line misbehaves. What it hears it decodes with test/ear. It knows
// nothing of Asterisk or the service: it speaks SIP and RTP to whoever answers.
package phone
