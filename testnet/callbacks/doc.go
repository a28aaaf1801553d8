// Package callbacks holds the tests of the compiled contracts on the pinned wasmd and ibc-go. They need
// libwasmvm and run by testnet/test.
package callbacks
