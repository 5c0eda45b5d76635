// Package leasedconn is an incident: a client that leaks one connection for each session that is not active.
package leasedconn

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// Client asks the session service.
type Client struct {
	BaseURL string
}

// IsSessionActive says whether the session is active. The answer is in the status code alone.
func (c *Client) IsSessionActive(ctx context.Context, id string) (bool, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.BaseURL+"/session/"+url.PathEscape(id), nil)
	if err != nil {
		return false, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false, err
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return true, nil
	case http.StatusForbidden:
		return false, nil
	}
	return false, fmt.Errorf("session service: %s", resp.Status)
}
