//go:build tools

// Package testnet pins the versions from which openledgerd is built.
// The chain is stock wasmd; this file only makes its command part of the module graph.
package testnet

import _ "github.com/CosmWasm/wasmd/cmd/wasmd"
