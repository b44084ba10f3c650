package main

import "fmt"

// didYouMean returns "; did you mean …?" for the nearest of names, if one is
// near.
func didYouMean(got string, names []string) string {
	best, at := max(2, len(got)/3)+1, ""
	for _, name := range names {
		if d := distance(got, name); d < best {
			best, at = d, name
		}
	}
	if at == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", at)
}

// maxSuggest bounds the names that are compared, in bytes.
const maxSuggest = 256

// distance is how many bytes have to be changed, put in or left out to make b
// of a (Levenshtein).
func distance(a, b string) int {
	if len(a) > maxSuggest || len(b) > maxSuggest {
		return maxSuggest
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
