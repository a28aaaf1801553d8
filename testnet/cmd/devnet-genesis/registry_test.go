package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// shape is the part of a published schema that an object of our files has to satisfy: fields that it must have,
// fields that it may have, and patterns or enumerations of strings.
type shape struct {
	required, optional []string
	pattern            map[string]string
}

// Out of chain.schema.json and assetlist.schema.json of the Cosmos chain registry, and of the interface ChainInfo of
// @keplr-wallet/types. All of them refuse fields that they do not know.
var (
	chainShape = shape{
		required: []string{"chain_name", "chain_type", "chain_id", "bech32_prefix"},
		optional: []string{"$schema", "pretty_name", "website", "status", "network_type", "bech32_config", "daemon_name",
			"node_home", "key_algos", "slip44", "fees", "staking", "codebase", "images", "logo_URIs", "description", "peers",
			"apis", "explorers", "keywords"},
		pattern: map[string]string{
			"$schema": `^(\.\./)+chain\.schema\.json$`, "chain_name": `[a-z0-9]+`, "chain_type": `^cosmos$`,
			"status": `^(live|upcoming|killed)$`, "network_type": `^(mainnet|testnet|devnet)$`,
		},
	}
	feeTokenShape = shape{
		required: []string{"denom"},
		optional: []string{"fixed_min_gas_price", "low_gas_price", "average_gas_price", "high_gas_price", "gas_costs"},
	}
	endpointShape = shape{required: []string{"address"}, optional: []string{"provider", "archive"}}
	versionForm   = `^v?\d+(\.\d+){0,2}$`
	codebaseShape = shape{optional: []string{"git_repo", "recommended_version", "compatible_versions", "tag", "language",
		"binaries", "sdk", "consensus", "cosmwasm", "ibc", "genesis"}}
	sdkShape = shape{required: []string{"type"}, optional: []string{"version", "repo", "tag"},
		pattern: map[string]string{"type": `^(cosmos|penumbra|other)$`, "version": versionForm}}
	consensusShape = shape{required: []string{"type"}, optional: []string{"version", "repo", "tag"},
		pattern: map[string]string{"type": `^(tendermint|cometbft|sei-tendermint)$`, "version": versionForm}}
	languageShape = shape{required: []string{"type"}, optional: []string{"version", "repo", "tag"},
		pattern: map[string]string{"type": `^(go|rust|solidity|other)$`, "version": versionForm}}
	ibcShape = shape{required: []string{"type"}, optional: []string{"version", "repo", "tag", "ics_enabled"},
		pattern: map[string]string{"type": `^(go|rust|other)$`, "version": versionForm}}
	cosmwasmShape = shape{optional: []string{"version", "repo", "tag", "enabled", "path"},
		pattern: map[string]string{"version": versionForm, "path": `^\$HOME.*$`}}
	assetListShape = shape{required: []string{"chain_name", "assets"}, optional: []string{"$schema"},
		pattern: map[string]string{"$schema": `^(\.\./)+assetlist\.schema\.json$`}}
	assetShape = shape{
		required: []string{"denom_units", "base", "display", "name", "symbol", "type_asset"},
		optional: []string{"description", "address", "traces", "ibc", "logo_URIs", "images", "coingecko_id", "keywords"},
		pattern:  map[string]string{"type_asset": `^sdk\.coin$`, "name": `^.{1,30}$`},
	}
	unitShape  = shape{required: []string{"denom", "exponent"}, optional: []string{"aliases"}}
	keplrShape = shape{
		required: []string{"rpc", "rest", "chainId", "chainName", "bip44", "bech32Config", "currencies", "feeCurrencies",
			"stakeCurrency"},
		optional: []string{"nodeProvider", "walletUrl", "walletUrlForStaking", "alternativeBIP44s", "features", "beta",
			"chainSymbolImageUrl"},
		pattern: map[string]string{"rpc": `^https?://`, "rest": `^https?://`},
	}
	bech32Shape = shape{required: []string{"bech32PrefixAccAddr", "bech32PrefixAccPub", "bech32PrefixValAddr",
		"bech32PrefixValPub", "bech32PrefixConsAddr", "bech32PrefixConsPub"}}
	currencyShape = shape{required: []string{"coinDenom", "coinMinimalDenom", "coinDecimals"},
		optional: []string{"coinGeckoId", "coinImageUrl", "gasPriceStep"}}
	gasShape = shape{required: []string{"low", "average", "high"}}
)

// faults says what an object lacks or has too much.
func (s shape) faults(object any) []string {
	fields, ok := object.(map[string]any)
	if !ok {
		return []string{"is no object"}
	}
	var bad []string
	for _, name := range s.required {
		if value, ok := fields[name]; !ok || value == "" || value == nil {
			bad = append(bad, "lacks "+name)
		}
	}
	for name, value := range fields {
		if !slices.Contains(s.required, name) && !slices.Contains(s.optional, name) {
			bad = append(bad, "has the unknown field "+name)
		}
		if form, ok := s.pattern[name]; ok {
			text, _ := value.(string)
			if !regexp.MustCompile(form).MatchString(text) {
				bad = append(bad, name+" is not of the form "+form)
			}
		}
	}
	return bad
}

func readObject(t *testing.T, path string) map[string]any {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", path))
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := json.Unmarshal(raw, &object); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return object
}

// at walks down fields of objects; nil where there is none.
func at(object any, names ...string) any {
	for _, name := range names {
		fields, ok := object.(map[string]any)
		if !ok {
			return nil
		}
		object = fields[name]
	}
	return object
}

func TestRegistryFilesHaveWhatThePublishedSchemasRequire(t *testing.T) {
	check := func(what string, s shape, object any) {
		t.Helper()
		for _, fault := range s.faults(object) {
			t.Errorf("%s %s", what, fault)
		}
	}
	each := func(what string, s shape, list any) {
		t.Helper()
		items, ok := list.([]any)
		if !ok || len(items) == 0 {
			t.Errorf("%s is no list or empty", what)
		}
		for _, item := range items {
			check(what, s, item)
		}
	}
	chain := readObject(t, filepath.Join("chain-registry", "chain.json"))
	check("chain.json", chainShape, chain)
	each("fee token", feeTokenShape, at(chain, "fees", "fee_tokens"))
	each("staking token", shape{required: []string{"denom"}}, at(chain, "staking", "staking_tokens"))
	check("codebase", codebaseShape, at(chain, "codebase"))
	check("sdk", sdkShape, at(chain, "codebase", "sdk"))
	check("consensus", consensusShape, at(chain, "codebase", "consensus"))
	check("language", languageShape, at(chain, "codebase", "language"))
	check("ibc", ibcShape, at(chain, "codebase", "ibc"))
	check("cosmwasm", cosmwasmShape, at(chain, "codebase", "cosmwasm"))
	for _, kind := range []string{"rpc", "rest", "grpc"} {
		each("endpoint "+kind, endpointShape, at(chain, "apis", kind))
	}

	assets := readObject(t, filepath.Join("chain-registry", "assetlist.json"))
	check("assetlist.json", assetListShape, assets)
	each("asset", assetShape, assets["assets"])
	for _, asset := range assets["assets"].([]any) {
		each("denom unit", unitShape, at(asset, "denom_units"))
		units := map[any]bool{}
		for _, unit := range at(asset, "denom_units").([]any) {
			units[at(unit, "denom")] = true
		}
		if !units[at(asset, "base")] || !units[at(asset, "display")] {
			t.Error("base and display have to be units")
		}
	}

	keplr := readObject(t, "keplr.json")
	check("keplr.json", keplrShape, keplr)
	check("bip44", shape{required: []string{"coinType"}}, keplr["bip44"])
	check("bech32Config", bech32Shape, keplr["bech32Config"])
	each("currency", currencyShape, keplr["currencies"])
	each("fee currency", currencyShape, keplr["feeCurrencies"])
	check("stake currency", currencyShape, keplr["stakeCurrency"])
	check("gas price step", gasShape, at(keplr["feeCurrencies"].([]any)[0], "gasPriceStep"))
}

// The check fails where it has to.
func TestShapesFindFaults(t *testing.T) {
	good := readObject(t, "keplr.json")
	delete(good, "rest")
	good["colour"] = "red"
	good["rpc"] = "ftp://127.0.0.1"
	if found := keplrShape.faults(good); len(found) != 3 {
		t.Fatalf("%v", found)
	}
	if found := bech32Shape.faults("openledger"); len(found) != 1 {
		t.Fatalf("%v", found)
	}
}
