// Command devnet-genesis prepares the home folder of a devnet's chain node after
// `openledgerd init`: parameters and accounts in genesis.json, addresses and timing in
// config.toml, app.toml and client.toml. It uses the standard library only, so that a devnet
// needs neither jq nor a scripting language.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

const usage = `usage:
  devnet-genesis genesis  --home DIR --accounts FILE --block-ms N [--validators FILE] [--prefix P] [--denom D]
  devnet-genesis config   --home DIR --chain-id ID --base-port N --block-ms N [--denom D] [--peers LIST]
                          [--p2p-port N] [--snapshot-interval N]
  devnet-genesis accounts --accounts FILE [--prefix P]

genesis   sets the parameters and adds the accounts; run it between init and gentx. The file of further
          validators has a line "name, tab, address" for each; they get what the first one has
config    sets ports, timing and node settings; run it before every start
accounts  prints name, address and mnemonic of each account, separated by tabs`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error E-DEV-020:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	set := flag.NewFlagSet(args[0], flag.ContinueOnError)
	home := set.String("home", "", "home folder of the chain")
	accounts := set.String("accounts", "", "JSON file with the development accounts")
	chainID := set.String("chain-id", "", "chain id")
	basePort := set.Int("base-port", 0, "first port")
	blockMS := set.Int("block-ms", 500, "milliseconds between blocks")
	prefix := set.String("prefix", accountPrefix, "first part of addresses")
	coin := set.String("denom", denom, "base denomination")
	validators := set.String("validators", "", "file of further validators")
	peers := set.String("peers", "", "persistent peers, id@host:port, separated by commas")
	p2pPort := set.Int("p2p-port", 0, "port for peers instead of the second of the base")
	snapshots := set.Int("snapshot-interval", 0, "blocks between two snapshots for state sync; 0: none")
	if err := set.Parse(args[1:]); err != nil {
		return err
	}
	if *blockMS < 100 || *blockMS > 60_000 {
		return fmt.Errorf("--block-ms %d is outside 100 to 60000", *blockMS)
	}
	switch args[0] {
	case "genesis":
		list, err := accountsFor(*accounts, *prefix)
		if err != nil {
			return err
		}
		if list, err = addValidators(list, *validators, *prefix); err != nil {
			return err
		}
		return editFile(filepath.Join(*home, "config", "genesis.json"), func(raw []byte) ([]byte, error) {
			return editGenesis(raw, list, *coin, *blockMS)
		})
	case "config":
		if *basePort < 1024 || *basePort > 65_000 {
			return fmt.Errorf("--base-port %d is outside 1024 to 65000", *basePort)
		}
		if *p2pPort < 0 || *p2pPort > 65_535 || *snapshots < 0 {
			return errors.New("--p2p-port or --snapshot-interval is out of range")
		}
		return editConfig(filepath.Join(*home, "config"), settings{
			chainID: *chainID, denom: *coin, base: *basePort, blockMS: *blockMS,
			peers: *peers, p2pPort: *p2pPort, snapshotInterval: *snapshots,
		})
	case "accounts":
		list, err := accountsFor(*accounts, *prefix)
		if err != nil {
			return err
		}
		for _, a := range list {
			fmt.Printf("%s\t%s\t%s\n", a.Name, a.Address, a.Mnemonic)
		}
		return nil
	default:
		return errors.New(usage)
	}
}

// editFile replaces a file by what edit makes of it, in one step.
func editFile(path string, edit func([]byte) ([]byte, error)) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	edited, err := edit(raw)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	temporary := path + ".new"
	if err := os.WriteFile(temporary, edited, 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}
