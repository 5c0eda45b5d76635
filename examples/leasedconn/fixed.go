package leasedconn

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// FixedClient is Client with one line more.
type FixedClient struct {
	BaseURL string
}

// IsSessionActive says whether the session is active.
func (c *FixedClient) IsSessionActive(ctx context.Context, id string) (bool, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.BaseURL+"/session/"+url.PathEscape(id), nil)
	if err != nil {
		return false, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		return true, nil
	case http.StatusForbidden:
		return false, nil
	}
	return false, fmt.Errorf("session service: %s", resp.Status)
}
