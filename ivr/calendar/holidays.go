package calendar

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

// maxBreakDays bounds a break; a longer one is taken for a slip in a date.
const maxBreakDays = 15

// notices are the State Council's announcements, all years together.
type notices struct {
	sources map[int]string // by year: the notice's name
	days    map[time.Time]noticeDay
}

type noticeDay struct {
	kind    Kind
	holiday string
	file    string
}

func (n notices) has(year int) bool {
	_, ok := n.sources[year]
	return ok
}

// noticeFile is the shape of YEAR.json. It follows a notice line by line.
type noticeFile struct {
	Year     int    `json:"year"`
	Source   string `json:"source"`
	Holidays []struct {
		Name string   `json:"name"`
		From string   `json:"from"`
		To   string   `json:"to"`
		Work []string `json:"work"`
	} `json:"holidays"`
}

func loadNotices(dir fs.FS) (notices, error) {
	n := notices{sources: map[int]string{}, days: map[time.Time]noticeDay{}}
	if dir == nil {
		return n, nil
	}
	names, err := fs.Glob(dir, "*.json")
	if err != nil {
		return n, err
	}
	if _, err := fs.Stat(dir, "."); err != nil {
		return n, fmt.Errorf("the directory cannot be read: %w", err)
	}
	var errs []error
	for _, name := range names {
		data, err := fs.ReadFile(dir, name)
		if err == nil {
			err = n.add(name, data)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	return n, errors.Join(errs...)
}

func (n notices) add(name string, data []byte) error {
	year, err := strconv.Atoi(strings.TrimSuffix(name, ".json"))
	if err != nil || len(name) != len("2026.json") {
		return errors.New("the name must be a year of four digits and .json")
	}
	file, err := decodeNotice(data)
	if err != nil {
		return err
	}
	var errs []error
	if file.Year != year {
		errs = append(errs, fmt.Errorf(`"year" is %d; must be %d, as the name says`, file.Year, year))
	}
	if file.Source == "" {
		errs = append(errs, errors.New(`"source" is empty; must name the notice`))
	}
	if len(file.Holidays) == 0 {
		errs = append(errs, errors.New(`"holidays" is empty; leave the file out until the notice is published`))
	}
	for i, h := range file.Holidays {
		days, err := holidayDays(year, h.From, h.To, h.Work)
		if err == nil && h.Name == "" {
			err = errors.New(`"name" is empty`)
		}
		if err == nil {
			err = n.mark(name, h.Name, days)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("holidays[%d] (%s): %w", i, h.Name, err))
		}
	}
	n.sources[year] = file.Source
	return errors.Join(errs...)
}

func decodeNotice(data []byte) (noticeFile, error) {
	var file noticeFile
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		line, column := position(data, errorOffset(err, decoder.InputOffset()))
		return file, fmt.Errorf("line %d, column %d: %w", line, column, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		line, column := position(data, decoder.InputOffset())
		return file, fmt.Errorf("line %d, column %d: more after the end of the object", line, column)
	}
	return file, nil
}

// errorOffset is where in the data a decoding error lies; reached is how far the decoder had come.
func errorOffset(err error, reached int64) int64 {
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
		return syntax.Offset
	}
	if typing := (*json.UnmarshalTypeError)(nil); errors.As(err, &typing) {
		return typing.Offset
	}
	return reached
}

func position(data []byte, offset int64) (line, column int) {
	before := data[:min(int64(len(data)), max(offset, 0))]
	return bytes.Count(before, []byte("\n")) + 1, len(before) - bytes.LastIndexByte(before, '\n')
}

// holidayDays lists the days off from one date to another, and the days worked for them.
func holidayDays(year int, from, to string, work []string) (map[time.Time]Kind, error) {
	first, errFrom := noticeDate(year, from)
	last, errTo := noticeDate(year, to)
	if err := errors.Join(errFrom, errTo); err != nil {
		return nil, err
	}
	if last.Before(first) {
		return nil, fmt.Errorf("ends %s before it begins %s", to, from)
	}
	if length := int(last.Sub(first)/(24*time.Hour)) + 1; length > maxBreakDays {
		return nil, fmt.Errorf("%s to %s is %d days; at most %d are taken for a break", from, to, length, maxBreakDays)
	}
	days := map[time.Time]Kind{}
	for date := first; !date.After(last); date = date.AddDate(0, 0, 1) {
		days[date] = DayOff
	}
	for _, w := range work {
		date, err := noticeDate(year, w)
		if err != nil {
			return nil, err
		}
		if _, taken := days[date]; taken {
			return nil, fmt.Errorf("%s is given twice", w)
		}
		if !weekend(date) {
			return nil, fmt.Errorf("%s is a %s; only a Saturday or Sunday can be made a working day", w, date.Weekday())
		}
		days[date] = MovedWorkday
	}
	return days, nil
}

// noticeDate parses a date of a year's notice, which may reach into the December before and the January after.
func noticeDate(year int, s string) (time.Time, error) {
	date, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return date, fmt.Errorf("%q is no date; write %d-01-31", s, year)
	}
	if date.Before(newYear(year).AddDate(0, -1, 0)) || !date.Before(newYear(year+1).AddDate(0, 1, 0)) {
		return date, fmt.Errorf("%s does not belong to the notice for %d", s, year)
	}
	return date, nil
}

func (n notices) mark(file, holiday string, days map[time.Time]Kind) error {
	for date := range days {
		if other, taken := n.days[date]; taken {
			return fmt.Errorf("%s is given already for %s in %s", date.Format(time.DateOnly), other.holiday, other.file)
		}
	}
	for date, kind := range days {
		n.days[date] = noticeDay{kind: kind, holiday: holiday, file: file}
	}
	return nil
}
