// Package sweep finds the error paths of a client that nobody wrote a test for. See README.md.
package sweep

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Client asks a service for users. Its tests are green: they know a user who is there and one who is not.
type Client struct {
	BaseURL string
	HTTP    *http.Client
}

type user struct {
	Name string `json:"name"`
}

// UserName gives the name of a user. It asks again when the service is unavailable.
func (c *Client) UserName(ctx context.Context, id string) (string, error) {
	for try := 1; ; try++ {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.BaseURL+"/users/"+url.PathEscape(id), nil)
		if err != nil {
			return "", err
		}
		resp, err := c.HTTP.Do(req)
		if err != nil {
			return "", err
		}
		if resp.StatusCode == http.StatusServiceUnavailable && try < 3 {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if resp.StatusCode != http.StatusOK {
			resp.Body.Close()
			return "", fmt.Errorf("user %s: %s", id, resp.Status)
		}
		var u user
		if err := json.NewDecoder(resp.Body).Decode(&u); err != nil {
			return "", fmt.Errorf("user %s: %w", id, err)
		}
		resp.Body.Close()
		return u.Name, nil
	}
}
