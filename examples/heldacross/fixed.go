package heldacross

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// FixedCheckout is Checkout with two short turns at the database, and the call between them. The state that the first one
// writes stands for the transaction: nobody else takes the order meanwhile, and whoever finds one that stayed in it knows
// that it has to be asked about.
type FixedCheckout struct {
	DB       *sql.DB
	Payments string
}

// Pay charges an order and marks it as paid.
func (c *FixedCheckout) Pay(ctx context.Context, order string) error {
	taken, err := c.DB.ExecContext(ctx, take, order)
	if err != nil {
		return err
	}
	if n, err := taken.RowsAffected(); err != nil || n != 1 {
		return fmt.Errorf("order %s is not open (%d, %v)", order, n, err)
	}
	if err := charge(ctx, c.Payments, order); err != nil {
		// The context may be what ended the charge, and the order is to be open again all the same.
		_, undo := c.DB.ExecContext(context.WithoutCancel(ctx), reopen, order)
		return errors.Join(err, undo)
	}
	_, err = c.DB.ExecContext(ctx, settle, order)
	return err
}
