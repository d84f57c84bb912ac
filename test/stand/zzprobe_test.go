package stand_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"hotline/ari"
	"hotline/test/stand"
)

func TestZZProbe(t *testing.T) {
	ast := stand.Asterisk(t, stand.Options{Configure: net(time.Minute, 15*time.Second, 1)})
	c := call(t, ast)
	link := service(t, ast)
	a := arrival(t, link, 5*time.Second)
	s := link.Session("call-1")
	defer s.Close()
	leg := s.Adopt(a)
	acc := ast.Config.Asterisk.ARI
	do := func(method, path, body string) {
		req, _ := http.NewRequest(method, acc.URL()+path, bytes.NewBufferString(body))
		req.SetBasicAuth(acc.User, acc.Password.Reveal())
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Log(err)
			return
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		fmt.Println(method, path, resp.Status, string(b))
	}
	do("GET", "/applications/"+acc.App, "")
	play := fmt.Sprintf(`{"media":["sound:%s/menu.main"],"playbackId":"dup"}`, ast.Config.PromptsInside())
	do("POST", "/channels/"+a.ChannelID+"/play", play)
	do("POST", "/channels/"+a.ChannelID+"/play", play)
	do("GET", "/playbacks/dup", "")
	seen := 0
	for seen < 2 {
		ev, err := s.Next(t.Context())
		if err != nil { t.Fatal(err) }
		fmt.Println(ev.Kind, ev.At)
		_ = leg
		break
	}
	time.Sleep(500*time.Millisecond)
	do("GET", "/playbacks/dup", "")
	do("DELETE", "/playbacks/dup", "")
	time.Sleep(100*time.Millisecond)
	do("GET", "/playbacks/dup", "")
	do("DELETE", "/playbacks/dup", "")
	do("DELETE", "/playbacks/dup", "")
	do("POST", "/bridges", `{"bridgeId":"b1","type":"mixing,video_sfu","name":"x"}`)
	do("POST", "/bridges", `{"bridgeId":"b1","type":"mixing,video_sfu","name":"x"}`)
	do("POST", "/bridges/b1/addChannel", `{"channel":["`+a.ChannelID+`"]}`)
	do("POST", "/bridges/b1/addChannel", `{"channel":["`+a.ChannelID+`"]}`)
	do("GET", "/bridges/b1", "")
	do("GET", "/channels/"+a.ChannelID, "")
	do("POST", "/bridges/b1/removeChannel", `{"channel":["`+a.ChannelID+`"]}`)
	do("POST", "/bridges/b1/removeChannel", `{"channel":["`+a.ChannelID+`"]}`)
	do("DELETE", "/bridges/b1", "")
	do("DELETE", "/bridges/b1", "")
	do("POST", "/applications/"+acc.App+"/subscription?eventSource=channel:"+a.ChannelID, "")
	do("POST", "/channels/"+a.ChannelID+"/answer", "")
	do("POST", "/channels/"+a.ChannelID+"/answer", "")
	do("GET", "/channels", "")
	_ = ari.Key
	c.Hangup(t.Context())
}
