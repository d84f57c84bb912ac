package call

import (
	"testing"

	"hotline/configs"
	"hotline/ivr/prompt"
	"hotline/queue"
)

// Every way in which a queue has no place for a caller has words, in every language, and a reason of its own.
func TestEveryReasonOfAQueueHasWords(t *testing.T) {
	said := map[string]bool{"queue.closing": true, "queue.closed": true}
	for _, r := range refusals {
		said[r.prompt] = true
	}
	for _, reason := range []string{
		queue.LapseSignedOut, queue.LapseUnattended, queue.LapseTooLong, queue.LapseCallBack, queue.LapseMessage, queue.LapseRemoved, queue.LapseNoSkill,
	} {
		end, known := lapses[reason]
		if !known || end.reason == "" {
			t.Errorf("a caller whose wait ends by %q is told nothing", reason)
		}
		said[end.prompt] = true
	}
	for _, language := range []string{"zh-CN.yaml", "en.yaml"} {
		catalogue, err := prompt.LoadCatalogue(configs.Default().PromptTexts(), language)
		if err != nil {
			t.Fatal(err)
		}
		for id := range said {
			if _, there := catalogue.Prompt(id); !there {
				t.Errorf("%s has no words for %s", language, id)
			}
		}
	}
}
