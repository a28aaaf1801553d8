package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// denom is the base denomination; one OPEN is a million of it.
const denom = "uopen"

// accountPrefix is the first part of the addresses in dev-accounts.json.
const accountPrefix = "openledger"

// account is one entry of dev-accounts.json. Balance is a whole number of uopen.
type account struct {
	Name     string `json:"name"`
	Purpose  string `json:"purpose"`
	Address  string `json:"address"`
	Mnemonic string `json:"mnemonic"`
	Balance  string `json:"balance_uopen"`
}

var (
	nameForm    = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
	addressForm = regexp.MustCompile(`^openledger1[02-9ac-hj-np-z]{38}$`)
	amountForm  = regexp.MustCompile(`^[1-9][0-9]{0,29}$`)
)

// readAccounts reads and checks dev-accounts.json.
func readAccounts(path string) ([]account, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var file struct {
		Accounts []account `json:"accounts"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(file.Accounts) == 0 {
		return nil, fmt.Errorf("%s: no accounts", path)
	}
	seen := map[string]bool{}
	for _, a := range file.Accounts {
		switch {
		case !nameForm.MatchString(a.Name) || !addressForm.MatchString(a.Address) || !amountForm.MatchString(a.Balance):
			return nil, fmt.Errorf("%s: account %q has a wrong name, address or balance", path, a.Name)
		case len(strings.Fields(a.Mnemonic)) != 24:
			return nil, fmt.Errorf("%s: account %q needs a mnemonic of 24 words", path, a.Name)
		case seen[a.Name] || seen[a.Address]:
			return nil, fmt.Errorf("%s: account %q appears twice", path, a.Name)
		}
		seen[a.Name], seen[a.Address] = true, true
	}
	return file.Accounts, nil
}

// addValidators appends the accounts of further validators, one line "name, tab, address" each, with the
// balance of the first account. Without a file the list stays as it is.
func addValidators(accounts []account, path, prefix string) ([]account, error) {
	if path == "" {
		return accounts, nil
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, a := range accounts {
		seen[a.Address] = true
	}
	for _, line := range strings.Split(strings.TrimSpace(string(raw)), "\n") {
		name, address, ok := strings.Cut(line, "\t")
		if !ok || !nameForm.MatchString(name) || seen[address] {
			return nil, fmt.Errorf("%s: %q is no new validator", path, line)
		}
		// Reads the address back: a wrong checksum or another prefix is an error.
		if same, err := withPrefix(address, prefix); err != nil || same != address {
			return nil, fmt.Errorf("%s: %q is no address of this chain", path, address)
		}
		seen[address] = true
		accounts = append(accounts, account{Name: name, Address: address, Balance: accounts[0].Balance})
	}
	return accounts, nil
}

// editGenesis sets the parameters of a devnet and adds the accounts with their balances.
// A parameter that the chain's genesis does not have is an error: then the chain has changed.
func editGenesis(raw []byte, accounts []account, denom string, blockMS int) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var doc map[string]any
	if err := decoder.Decode(&doc); err != nil {
		return nil, err
	}
	display, name := strings.TrimPrefix(denom, "u"), "OpenLedger"
	symbol := strings.ToUpper(display)
	if denom != "uopen" {
		name = symbol
	}
	const unbonding = 21 * 24 * time.Hour
	blocks := func(d time.Duration) string {
		return strconv.FormatInt(d.Milliseconds()/int64(blockMS), 10)
	}
	coins := func(amount string) []any {
		return []any{map[string]any{"denom": denom, "amount": amount}}
	}
	settings := []struct {
		path  string
		value any
	}{
		// A block has a gas limit, so that one transaction cannot hold up the chain.
		{"consensus.params.block.max_gas", "100000000"},
		{"consensus.params.block.max_bytes", "4194304"},
		// Evidence stays punishable as long as the stake can be reached.
		{"consensus.params.evidence.max_age_duration", strconv.FormatInt(unbonding.Nanoseconds(), 10)},
		{"consensus.params.evidence.max_age_num_blocks", blocks(unbonding)},

		{"app_state.staking.params.bond_denom", denom},
		{"app_state.staking.params.unbonding_time", strconv.Itoa(int(unbonding.Seconds())) + "s"},
		{"app_state.staking.params.historical_entries", json.Number("10000")},
		// A validator may be away as long as a laptop sleeps: only its votes keep it bonded, and a devnet's
		// auditors need not vote.
		{"app_state.slashing.params.signed_blocks_window", "1000000"},
		{"app_state.mint.params.mint_denom", denom},
		{"app_state.mint.params.blocks_per_year", blocks(365 * 24 * time.Hour)},

		// Governance takes the same path as on a public chain, in seconds instead of days.
		{"app_state.gov.params.min_deposit", coins("1000000")},
		{"app_state.gov.params.expedited_min_deposit", coins("2000000")},
		{"app_state.gov.params.max_deposit_period", "60s"},
		{"app_state.gov.params.voting_period", "4s"},
		{"app_state.gov.params.expedited_voting_period", "2s"},

		// Whoever develops may upload here; a public chain restricts this to governance.
		{"app_state.wasm.params.code_upload_access", map[string]any{"permission": "Everybody", "addresses": []any{}}},
		{"app_state.wasm.params.instantiate_default_permission", "Everybody"},

		{"app_state.ibc.client_genesis.params.allowed_clients", []any{"07-tendermint", "09-localhost"}},

		{"app_state.bank.denom_metadata", []any{map[string]any{
			"description": "The staking and fee token of a development chain",
			"denom_units": []any{
				map[string]any{"denom": denom, "exponent": json.Number("0"), "aliases": []any{"micro" + display}},
				map[string]any{"denom": display, "exponent": json.Number("6"), "aliases": []any{symbol}},
			},
			"base": denom, "display": display, "name": name, "symbol": symbol,
			"uri": "", "uri_hash": "",
		}}},
	}
	for _, s := range settings {
		if err := set(doc, s.path, s.value); err != nil {
			return nil, err
		}
	}
	if err := addAccounts(doc, accounts, denom); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(doc); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// addAccounts appends base accounts and their balances. The bank module fills in the supply
// itself when genesis leaves it empty.
func addAccounts(doc map[string]any, accounts []account, denom string) error {
	auth, err := list(doc, "app_state.auth.accounts")
	if err != nil {
		return err
	}
	balances, err := list(doc, "app_state.bank.balances")
	if err != nil {
		return err
	}
	if len(auth) != 0 || len(balances) != 0 {
		return fmt.Errorf("genesis has accounts already")
	}
	for _, a := range accounts {
		auth = append(auth, map[string]any{
			"@type": "/cosmos.auth.v1beta1.BaseAccount", "address": a.Address,
			"pub_key": nil, "account_number": "0", "sequence": "0",
		})
		balances = append(balances, map[string]any{
			"address": a.Address,
			"coins":   []any{map[string]any{"denom": denom, "amount": a.Balance}},
		})
	}
	if err := set(doc, "app_state.auth.accounts", auth); err != nil {
		return err
	}
	return set(doc, "app_state.bank.balances", balances)
}

// parent finds the object that holds the last name of a dotted path, which must exist in it.
func parent(doc map[string]any, path string) (map[string]any, string, error) {
	names := strings.Split(path, ".")
	last := names[len(names)-1]
	for _, name := range names[:len(names)-1] {
		next, ok := doc[name].(map[string]any)
		if !ok {
			return nil, "", fmt.Errorf("genesis has no %s", path)
		}
		doc = next
	}
	if _, ok := doc[last]; !ok {
		return nil, "", fmt.Errorf("genesis has no %s", path)
	}
	return doc, last, nil
}

func set(doc map[string]any, path string, value any) error {
	object, name, err := parent(doc, path)
	if err != nil {
		return err
	}
	object[name] = value
	return nil
}

func list(doc map[string]any, path string) ([]any, error) {
	object, name, err := parent(doc, path)
	if err != nil {
		return nil, err
	}
	if object[name] == nil {
		return nil, nil
	}
	items, ok := object[name].([]any)
	if !ok {
		return nil, fmt.Errorf("%s in genesis is no list", path)
	}
	return items, nil
}
