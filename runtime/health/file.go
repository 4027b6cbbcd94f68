package health

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"hafile/lang/plan"
)

// file looks at a file, and says nothing of what is in it: the daemon may read what those
// who read its status may not.
type file struct{ spec *plan.File }

func (f file) look() (string, error) {
	info, err := os.Stat(f.spec.Path)
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case f.spec.Value:
		return f.value()
	case f.spec.Absent && missing:
		return "no such file", nil
	case err != nil:
		return "", err
	case f.spec.Absent:
		return "it exists", errors.New("it exists, expected none")
	}
	age := time.Since(info.ModTime())
	found := fmt.Sprintf("%d bytes, written %s", info.Size(), info.ModTime().UTC().Format("2006-01-02 15:04:05 UTC"))
	if limit := ms(f.spec.MaxAgeMs); limit > 0 && age > limit {
		return found, fmt.Errorf("not written for more than %v", limit)
	}
	if f.spec.Contains == "" {
		return found, nil
	}
	return found, f.contains()
}

func (f file) contains() error {
	r, err := openRegular(f.spec.Path)
	if err != nil {
		return err
	}
	defer r.Close()
	switch there, err := holds(r, f.spec.Contains); {
	case there:
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("its first %d KiB do not hold the text", readMax>>10)
}

// value: a file that is missing, or holds no number, counts as 0, which is good.
func (f file) value() (string, error) {
	n, err := readValue(f.spec.Path)
	if err != nil {
		return "", err
	}
	found := fmt.Sprintf("its value is %d", n)
	if n != 0 {
		return found, fmt.Errorf("its value is %d, expected 0", n)
	}
	return found, nil
}

func readValue(path string) (int, error) {
	f, err := openRegular(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, 32))
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil {
		return 0, nil
	}
	return n, nil
}

// openRegular opens a file to be read, and nothing that would wait for a writer or do
// something when it is opened.
func openRegular(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: errors.New("it is no file")}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
