package iso8601

// Parts is a duration with its calendar parts kept apart: how long a month is
// depends on what it is added to.
type Parts struct {
	Years, Months, Days int
	Seconds             int64
}

// ParseParts reads an ISO 8601 duration (P1M2DT3H); weeks become days
// (crm_time_parse_duration).
func ParseParts(s string) (Parts, error) {
	if _, err := Duration(s); err != nil {
		return Parts{}, err
	}
	var p Parts
	inTime := false
	for i := 1; i < len(s) && s[i] != '/' && !space(s[i]); i++ {
		if s[i] == 'T' {
			inTime = true
			continue
		}
		v, j, ok := amount(s, i)
		if !ok || v != int64(int32(v)) {
			return Parts{}, ErrInvalid
		}
		switch unit := durationUnit(s[j], inTime); {
		case s[j] == 'Y':
			p.Years += int(v)
		case s[j] == 'M' && !inTime:
			p.Months += int(v)
		case unit >= day:
			p.Days += int(v * (unit / day))
		default:
			p.Seconds += v * unit
		}
		i = j
	}
	return p, nil
}

// Add returns t moved by a duration: years first, then months, days, seconds (crm_time_add).
func (t Time) Add(p Parts) Time {
	return t.AddYears(p.Years).AddMonths(p.Months).AddSeconds(int64(p.Days)*day + p.Seconds)
}

// Sub is Add backwards (crm_time_subtract).
func (t Time) Sub(p Parts) Time {
	return t.AddYears(-p.Years).AddMonths(-p.Months).AddSeconds(-int64(p.Days)*day - p.Seconds)
}
