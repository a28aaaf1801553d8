package main

import (
	"fmt"
	"strings"
)

const bech32Alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

// accountsFor reads the development accounts and writes their addresses with another prefix.
func accountsFor(path, prefix string) ([]account, error) {
	accounts, err := readAccounts(path)
	if err != nil {
		return nil, err
	}
	for i := range accounts {
		if accounts[i].Address, err = withPrefix(accounts[i].Address, prefix); err != nil {
			return nil, err
		}
	}
	return accounts, nil
}

// withPrefix writes a bech32 address (BIP 173) with another human-readable part. A wrong checksum is
// an error.
func withPrefix(address, prefix string) (string, error) {
	cut := strings.LastIndex(address, "1")
	if cut < 1 || len(address)-cut < 7 {
		return "", fmt.Errorf("%q is no bech32 address", address)
	}
	digits := make([]byte, 0, len(address)-cut-1)
	for _, c := range address[cut+1:] {
		at := strings.IndexRune(bech32Alphabet, c)
		if at < 0 {
			return "", fmt.Errorf("%q is no bech32 address", address)
		}
		digits = append(digits, byte(at))
	}
	data := digits[:len(digits)-6]
	if bech32Encode(address[:cut], data) != address {
		return "", fmt.Errorf("%q has a wrong checksum", address)
	}
	return bech32Encode(prefix, data), nil
}

// bech32Encode writes prefix, separator, data and checksum; data in groups of five bits.
func bech32Encode(prefix string, data []byte) string {
	check := uint32(1)
	step := func(value byte) {
		top := check >> 25
		check = (check&0x1ffffff)<<5 ^ uint32(value)
		for i, g := range [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 == 1 {
				check ^= g
			}
		}
	}
	for i := 0; i < len(prefix); i++ {
		step(prefix[i] >> 5)
	}
	step(0)
	for i := 0; i < len(prefix); i++ {
		step(prefix[i] & 31)
	}
	var out strings.Builder
	out.WriteString(prefix + "1")
	for _, d := range data {
		step(d)
		out.WriteByte(bech32Alphabet[d])
	}
	for i := 0; i < 6; i++ {
		step(0)
	}
	check ^= 1
	for i := 5; i >= 0; i-- {
		out.WriteByte(bech32Alphabet[check>>(5*i)&31])
	}
	return out.String()
}
