package codes

// HoldsWord is what a report calls the lines of what a leak of this code holds.
func HoldsWord(code string, count int) string {
	switch code {
	case "LK602":
		return "held now"
	case "LK603":
		return "held then"
	case "LK604":
		return "pool"
	}
	if count > 1 {
		return "each holds"
	}
	return "also holds"
}
