// Package prompt owns everything the service says: the catalogues of what is said in each language, the audio
// rendered from them, the grammar that composes numbers, positions and times out of single prompts, and the
// hold list with its apology every thirty seconds (C3).
//
// It must not know who plays the audio, nor when: no channel, no queue, no calendar, no configuration file but its
// own catalogues. It hands out prompt IDs; Library.Path turns an ID into the file that is played.
//
// Audio at work inside the package is 16-bit, 16 kHz, mono. Levels are RMS against full scale (an amplitude of
// 32768), so a full-scale sine is at -3 dBFS.
package prompt
