package prompt

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"unicode/utf8"
)

// Renderer turns a prompt into 16-bit mono audio at 16 kHz and says where it comes from (Recorded, Placeholder,
// Composed). A prompt with a Length must come back exactly that long. Build calls it from several goroutines.
//
// A Renderer that also has Key(Prompt) (string, error) is asked for it before rendering: audio whose key has not
// changed is kept. Without it, a change of the renderer's own settings is not noticed, only a change of its type.
type Renderer interface {
	Render(ctx context.Context, p Prompt) (pcm []int16, source string, err error)
}

// Voice is the service's own renderer: the hold melody and the beep composed, the recorded file where the catalogue
// names one, otherwise espeak-ng as a placeholder.
type Voice struct {
	catalogue *Catalogue
	wavDir    string
	espeak    func() (string, error) // its version, asked once
}

// NewVoice renders the prompts of a catalogue; wavDir is the folder its wav paths are in.
func NewVoice(c *Catalogue, wavDir string) *Voice {
	return &Voice{catalogue: c, wavDir: wavDir, espeak: sync.OnceValues(espeakVersion)}
}

func espeakVersion() (string, error) {
	out, err := exec.Command("espeak-ng", "--version").Output()
	if errors.Is(err, exec.ErrNotFound) {
		return "", errors.New("espeak-ng is not installed and speaks every prompt that has no recording: apt-get install espeak-ng")
	}
	if err != nil {
		return "", fmt.Errorf("ask espeak-ng for its version: %w", err)
	}
	version, _, _ := strings.Cut(string(out), "  Data at")
	return strings.TrimSpace(version), nil
}

// Key names everything the audio of p depends on beside the catalogue's entry.
func (v *Voice) Key(p Prompt) (string, error) {
	switch {
	case p.Length > 0:
		return "composed", nil
	case p.Wav != "":
		data, err := v.recording(p)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%x", sha256.Sum256(data)), nil
	}
	version, err := v.espeak()
	return fmt.Sprintf("%s|%s|%d|%s", version, v.catalogue.Voice, v.catalogue.Speed, speakable(p, v.catalogue.Language)), err
}

// Render implements Renderer.
func (v *Voice) Render(ctx context.Context, p Prompt) ([]int16, string, error) {
	switch {
	case p.Length > 0:
		return compose(p), Composed, nil
	case p.Wav != "":
		pcm, err := v.recorded(p)
		return pcm, Recorded, err
	}
	pcm, err := v.spoken(ctx, p)
	return pcm, Placeholder, err
}

func (v *Voice) recording(p Prompt) ([]byte, error) {
	name := filepath.Join(v.wavDir, filepath.FromSlash(p.Wav))
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("prompt %s: its recording %s does not exist; put it there, or take wav: out of the catalogue to hear the placeholder: %w", p.ID, name, err)
	}
	if err != nil {
		return nil, fmt.Errorf("prompt %s: read its recording: %w", p.ID, err)
	}
	return data, nil
}

func (v *Voice) recorded(p Prompt) ([]int16, error) {
	data, err := v.recording(p)
	if err != nil {
		return nil, err
	}
	s, err := decodeWAV(data)
	if err != nil {
		return nil, fmt.Errorf("prompt %s: its recording %s: %w", p.ID, filepath.Join(v.wavDir, p.Wav), err)
	}
	return toPCM(level(resample(s.samples, s.rate, workRate), workRate)), nil // levelled before 16 bits round a quiet one
}

// spoken has espeak-ng say the prompt. It writes a file because what it writes to a pipe has no length in its header.
func (v *Voice) spoken(ctx context.Context, p Prompt) ([]int16, error) {
	dir, err := os.MkdirTemp("", "prompt")
	if err != nil {
		return nil, fmt.Errorf("prompt %s: %w", p.ID, err)
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "speech.wav")
	cmd := exec.CommandContext(ctx, "espeak-ng", "-v", v.catalogue.Voice, "-s", fmt.Sprint(v.catalogue.Speed), "-b", "1", "--stdin", "-w", name)
	cmd.Stdin = strings.NewReader(speakable(p, v.catalogue.Language))
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("prompt %s: espeak-ng: %w: %s", p.ID, err, strings.TrimSpace(string(out)))
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("prompt %s: espeak-ng wrote no audio: %w", p.ID, err)
	}
	s, err := decodeWAV(data)
	if err != nil {
		return nil, fmt.Errorf("prompt %s: espeak-ng's audio: %w", p.ID, err)
	}
	return toPCM(trim(resample(s.samples, s.rate, workRate), tail(p.Text))), nil
}

// speakable is what the placeholder voice is given: the catalogue's own spelling, or its text with the digits as
// characters (the voice reads numerals as one big number, a hotline's is read digit by digit) and with the words it is
// known to misread in pinyin.
func speakable(p Prompt, language string) string {
	if p.Say != "" {
		return p.Say
	}
	if language != "zh-CN" {
		return p.Text
	}
	return chineseWords.Replace(chineseDigits.Replace(p.Text))
}

var chineseDigits = strings.NewReplacer("0", "零", "1", "一", "2", "二", "3", "三", "4", "四",
	"5", "五", "6", "六", "7", "七", "8", "八", "9", "九")

// chineseWords are misread by espeak-ng 1.51: characters with several readings, and 一 and 不, whose tone changes before
// a falling one. A word missing here is spelled by the catalogue's say.
var chineseWords = strings.NewReplacer(
	"重新", " chong2 xin1 ", "重阳", " chong2 yang2 ", "银行", " yin2 hang2 ", "音乐", " yin1 yue4 ",
	"部分", " bu4 fen5 ", "地区", " di4 qu1 ", "调整", " tiao2 zheng3 ", "尽快", " jin3 kuai4 ", "更换", " geng1 huan4 ",
	"拨打", " bo1 da3 ", "欢迎", " huan1 ying2 ", "不要", " bu2 yao4 ", "不便", " bu2 bian4 ", "不到", " bu2 dao4 ",
	"不是", " bu2 shi4 ", "一位", " yi2 wei4 ", "一次", " yi2 ci4 ", "一分钟", " yi4 fen1 zhong1 ", "一般", " yi4 ban1 ")

// tail is how much silence follows a prompt, in seconds, so that prompts played one after another sound like speech: a
// full stop breathes, a part of a sentence goes on at once.
func tail(text string) float64 {
	last, _ := utf8.DecodeLastRuneInString(text)
	switch {
	case strings.ContainsRune("。！？.!?", last):
		return 0.3
	case strings.ContainsRune("，、；：,;:", last):
		return 0.16
	}
	return 0.04
}

// trim cuts the silence around speech down to 20 ms before and seconds after it.
func trim(samples []float64, seconds float64) []float64 {
	threshold := peak(samples) * amplitude(-45)
	first, last := len(samples), -1
	for i, s := range samples {
		if math.Abs(s) > threshold {
			first, last = min(first, i), i
		}
	}
	if last < 0 {
		return samples
	}
	first = max(0, first-workRate/50)
	out := append([]float64(nil), samples[first:last+1]...)
	return append(out, make([]float64, int(seconds*workRate))...)
}
