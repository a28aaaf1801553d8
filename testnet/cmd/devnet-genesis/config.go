package main

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// Ports of a devnet, counted from its base.
const (
	portRPC  = 0
	portP2P  = 1
	portGRPC = 2
	portREST = 3
	// portMetrics is CometBFT's Prometheus endpoint.
	portMetrics = 9
)

// settings are what a chain node of a devnet is configured by.
type settings struct {
	chainID, denom string
	base, blockMS  int
	// peers are written as CometBFT writes them: id@host:port, separated by commas.
	peers string
	// p2pPort replaces base + 1 when it is not zero.
	p2pPort int
	// snapshotInterval is the number of blocks between two snapshots for state sync; zero: none.
	snapshotInterval int
}

// entry is one setting: section ("" for the top), key and the value as TOML writes it.
type entry struct{ section, key, value string }

// editConfig writes ports, timing and node settings into the three configuration files.
// Every address is on the loopback interface.
func editConfig(dir string, s settings) error {
	address := func(scheme string, offset int) string {
		return strconv.Quote(fmt.Sprintf("%s127.0.0.1:%d", scheme, s.base+offset))
	}
	p2p := address("tcp://", portP2P)
	if s.p2pPort != 0 {
		p2p = strconv.Quote(fmt.Sprintf("tcp://127.0.0.1:%d", s.p2pPort))
	}
	files := map[string][]entry{
		"config.toml": {
			{"", "log_level", `"*:warn,server:info,wasm:info"`},
			{"rpc", "laddr", address("tcp://", portRPC)},
			{"rpc", "cors_allowed_origins", `["*"]`},
			{"rpc", "pprof_laddr", `""`},
			// A contract travels in one transaction, base64 in JSON.
			{"rpc", "max_body_bytes", "8000000"},
			{"mempool", "recheck", "true"},
			{"mempool", "max_tx_bytes", "2097152"},
			{"p2p", "laddr", p2p},
			{"p2p", "persistent_peers", strconv.Quote(s.peers)},
			{"p2p", "pex", "false"},
			{"p2p", "addr_book_strict", "false"},
			{"p2p", "allow_duplicate_ip", "true"},
			{"consensus", "timeout_commit", strconv.Quote(fmt.Sprintf("%dms", s.blockMS))},
			{"tx_index", "indexer", `"kv"`},
			{"storage", "discard_abci_responses", "false"},
			{"instrumentation", "prometheus", "true"},
			{"instrumentation", "prometheus_listen_addr", address("", portMetrics)},
		},
		"app.toml": {
			{"", "minimum-gas-prices", strconv.Quote("0.0025" + s.denom)},
			// Keeping every state satisfies "at least the unbonding period" and old proofs.
			{"", "pruning", `"nothing"`},
			{"api", "enable", "true"},
			{"api", "swagger", "false"},
			{"api", "address", address("tcp://", portREST)},
			{"api", "enabled-unsafe-cors", "true"},
			{"grpc", "enable", "true"},
			{"grpc", "address", address("", portGRPC)},
			{"grpc-web", "enable", "false"},
			{"state-sync", "snapshot-interval", strconv.Itoa(s.snapshotInterval)},
			{"state-sync", "snapshot-keep-recent", "3"},
		},
		"client.toml": {
			{"", "chain-id", strconv.Quote(s.chainID)},
			{"", "keyring-backend", `"test"`},
			{"", "output", `"json"`},
			{"", "node", address("tcp://", portRPC)},
			{"", "broadcast-mode", `"sync"`},
		},
	}
	for name, entries := range files {
		err := editFile(filepath.Join(dir, name), func(raw []byte) ([]byte, error) {
			return editTOML(raw, entries)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// editTOML replaces the values of keys that stand on one line each. Comments and order stay.
// A key that does not occur exactly once in its section is an error.
func editTOML(raw []byte, entries []entry) ([]byte, error) {
	lines := strings.Split(string(raw), "\n")
	for _, e := range entries {
		section, found := "", 0
		for i, line := range lines {
			trimmed := strings.TrimSpace(line)
			if strings.HasPrefix(trimmed, "[") && strings.HasSuffix(trimmed, "]") && !strings.Contains(trimmed, "=") {
				section = strings.Trim(trimmed, "[]")
				continue
			}
			key, _, ok := strings.Cut(trimmed, "=")
			if !ok || section != e.section || strings.TrimSpace(key) != e.key {
				continue
			}
			lines[i] = e.key + " = " + e.value
			found++
		}
		if found != 1 {
			return nil, fmt.Errorf("key %s occurs %d times in section [%s]", e.key, found, e.section)
		}
	}
	return []byte(strings.Join(lines, "\n")), nil
}
