// Package adapters shows what dbcheck and leakcheck need to look at the pools of other libraries. See README.md.
package adapters
