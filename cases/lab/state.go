package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// state is what is known of a lab from one command to the next: state.json in its folder.
type state struct {
	// Machines are the first processes of the machines, each written before it does anything.
	Machines map[string]processID `json:"machines"`
	Variant  Variant              `json:"variant"`
	// Tools and Netcause are the folder of the programs and the built command.
	Tools    string `json:"tools"`
	Netcause string `json:"netcause"`
	// Up: it came up whole.
	Up bool `json:"up"`
	// Broken are the ids of the cases that were injected and not mended.
	Broken []string `json:"broken,omitempty"`
}

var errNoLab = errors.New("there is no lab: go run . up")

func readState(dir string) (state, error) {
	text, err := os.ReadFile(filepath.Join(dir, "state.json"))
	if isNotExist(err) {
		return state{}, errNoLab
	} else if err != nil {
		return state{}, err
	}
	var s state
	if err := json.Unmarshal(text, &s); err != nil {
		return state{}, fmt.Errorf("read %s: %w", filepath.Join(dir, "state.json"), err)
	}
	return s, nil
}

func (l *Lab) writeState() error {
	text, err := json.MarshalIndent(l.state, "", "  ")
	if err != nil {
		return err
	}
	// Whole or not at all.
	unfinished := filepath.Join(l.dir, "state.json.new")
	if err := os.WriteFile(unfinished, text, 0o644); err != nil {
		return err
	}
	return os.Rename(unfinished, filepath.Join(l.dir, "state.json"))
}

// lock keeps other commands of this lab away until the file is closed.
func lock(dir string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("another command of this lab runs (%s): %w", f.Name(), err)
	}
	return f, nil
}
