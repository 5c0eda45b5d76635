module example.com/harnessed

go 1.25.0

require github.com/leakgate/leakgate v0.0.0

require go.uber.org/goleak v1.3.0 // indirect

replace github.com/leakgate/leakgate => ../../../..
