// Package heldacross is an incident: a checkout that holds its database connection while a payment service takes its time.
package heldacross

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"net/url"
)

// The states of an order, one after the other. Whoever takes an order has it alone.
const (
	take   = "UPDATE orders SET state = 'paying' WHERE id = $1 AND state = 'open'"
	settle = "UPDATE orders SET state = 'paid' WHERE id = $1"
	reopen = "UPDATE orders SET state = 'open' WHERE id = $1 AND state = 'paying'"
)

// Checkout takes payment for orders.
type Checkout struct {
	DB       *sql.DB
	Payments string // base URL of somebody else's service
}

// Pay charges an order and marks it as paid, in one transaction, so that there is no order that is half paid.
func (c *Checkout) Pay(ctx context.Context, order string) error {
	tx, err := c.DB.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, take, order); err != nil {
		return err
	}
	if err := charge(ctx, c.Payments, order); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, settle, order); err != nil {
		return err
	}
	return tx.Commit()
}

// charge asks the payment service for the money. The service knows an order again, and charges it once.
func charge(ctx context.Context, payments, order string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, payments+"/charges/"+url.PathEscape(order), nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		return fmt.Errorf("payment service: %s", resp.Status)
	}
	return nil
}
