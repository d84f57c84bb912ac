package call

import "sync"

// netLog is what of the files of the dialplan's net has been read.
type netLog struct {
	mu   sync.Mutex
	read map[string]int64 // by a taken file's name: the bytes of it that are in the journal
}
