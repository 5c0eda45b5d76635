package baseline

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/leakgate/leakgate/internal/callsite"
)

// ErrNoModule says that no go.mod of the module is at or above a folder.
var ErrNoModule = errors.New("there is no go.mod of the module at or above the folder")

// Locate gives the path of the baseline of a module, which need not be there: it is beside the nearest go.mod, at or above the
// folder, whose module line is the module. With module "" that is the nearest one. The error is ErrNoModule when there is none;
// another error says that a go.mod cannot be read.
func Locate(startDir, module string) (path string, err error) {
	dir, err := filepath.Abs(startDir)
	if err != nil {
		return "", err
	}
	var others []string
	for {
		file := filepath.Join(dir, "go.mod")
		data, err := os.ReadFile(file)
		switch {
		case err == nil:
			name := callsite.ModuleLine(string(data))
			if module == "" || name == module {
				return filepath.Join(dir, Name), nil
			}
			others = append(others, fmt.Sprintf("%s is of %s", file, name))
		case !isAbsent(file, err):
			return "", fmt.Errorf("to find the baseline: %w", err)
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			break
		}
		dir = parent
	}
	if others != nil {
		return "", fmt.Errorf("%w: looked for %s from %s on; %s", ErrNoModule, module, startDir, strings.Join(others, ", "))
	}
	return "", fmt.Errorf("%w: looked for %s from %s on", ErrNoModule, module, startDir)
}

// isAbsent takes a folder of the name for none, as the go command does.
func isAbsent(file string, err error) bool {
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	info, statErr := os.Stat(file)
	return statErr == nil && info.IsDir()
}
