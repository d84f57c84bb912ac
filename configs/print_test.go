package configs

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestAPrintedConfigurationReadsBackTheSame(t *testing.T) {
	want := Default()
	text, err := want.YAML()
	if err != nil {
		t.Fatal(err)
	}
	secrets := map[string]string{}
	for _, line := range want.Secrets() {
		name, value, _ := strings.Cut(line, "=")
		secrets[name] = value
	}
	got, err := Parse("printed.yaml", text, func(name string) (string, bool) { v, ok := secrets[name]; return v, ok })
	if err != nil {
		t.Fatalf("a printed configuration is not accepted: %v\n%s", err, text)
	}
	same := []cmp.Option{
		cmpopts.IgnoreUnexported(Config{}),
		cmp.Comparer(func(a, b Timezone) bool { return a.String() == b.String() }),
		cmp.Comparer(func(a, b Network) bool { return a == b }),
		cmp.Comparer(func(a, b Address) bool { return a == b }),
		cmpopts.EquateComparable(),
	}
	if diff := cmp.Diff(want, got, same...); diff != "" {
		t.Errorf("printing changed the configuration (-want +got):\n%s", diff)
	}
}
