// Package testifysuite checks each test of a testify suite for leaks, with one line in SetupTest:
//
//	func (s *StoreSuite) SetupTest() {
//		s.T().Cleanup(leakcheck.Verify(s.T()))
//	}
//
// The check belongs to the test: s.T() in SetupTest is the T of the test about to run, and its cleanups run after
// TearDownTest, so that what TearDownTest gives back is no leak.
//
// Call s.T() while the test runs, as above, and not in the cleanup itself: when the cleanups run, the suite has gone
// back to its parent's T, and an error would be that of the whole suite.
//
// What SetupSuite starts is there before each test and is not blamed on one. To check it too, put
// t.Cleanup(leakcheck.Verify(t)) before suite.Run.
package testifysuite
