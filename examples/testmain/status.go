package testmain

import "net/http"

// Status gives the status code of a URL. With leak it forgets the body.
func Status(url string, leak bool) (int, error) {
	resp, err := http.Get(url)
	if err != nil {
		return 0, err
	}
	if !leak {
		defer resp.Body.Close()
	}
	return resp.StatusCode, nil
}
