package sweep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// FixedClient is Client with one way out of each request, at which the body is closed.
type FixedClient struct {
	BaseURL string
	HTTP    *http.Client
}

var errUnavailable = errors.New("the service is unavailable")

// UserName gives the name of a user. It asks again when the service is unavailable.
func (c *FixedClient) UserName(ctx context.Context, id string) (string, error) {
	for try := 1; ; try++ {
		name, err := c.ask(ctx, id)
		if !errors.Is(err, errUnavailable) || try == 3 {
			return name, err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (c *FixedClient) ask(ctx context.Context, id string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.BaseURL+"/users/"+url.PathEscape(id), nil)
	if err != nil {
		return "", err
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusServiceUnavailable:
		return "", errUnavailable
	default:
		return "", fmt.Errorf("user %s: %s", id, resp.Status)
	}
	var u user
	// A limit, because the service may be broken too: a body without an end is read for as long as it comes.
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&u); err != nil {
		return "", fmt.Errorf("user %s: %w", id, err)
	}
	return u.Name, nil
}
