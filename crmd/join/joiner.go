package join

import "fmt"

// Joiner is every node's side: who it believes is DC, and which offer it is
// answering. It is owned by the controller's loop.
type Joiner struct {
	self     string
	leading  bool
	dc       string
	features string // of the DC
	query    int    // number of the offer being answered, 0 for none
	queries  int
}

// NewJoiner returns a Joiner for the node self.
func NewJoiner(self string) *Joiner { return &Joiner{self: self} }

// DC is the DC as far as this node knows, empty for none, and its feature set.
func (j *Joiner) DC() (name, features string) { return j.dc, j.features }

// SetLeading says whether this node is the DC.
func (j *Joiner) SetLeading(yes bool) { j.leading = yes }

// Unset forgets who is DC; it says who it was.
func (j *Joiner) Unset() (was string) {
	was, j.dc, j.features = j.dc, "", ""
	return was
}

// Follow takes a message of a DC: it becomes ours unless there is another
// already (update_dc). changed says that it was not before; an error means
// that there are two, and that a DC should be asked for.
func (j *Joiner) Follow(from, features string) (changed bool, err error) {
	switch {
	case from == "" || features == "":
		return false, fmt.Errorf("a DC's message without its name or feature set")
	case j.leading && !same(from, j.self):
		return false, fmt.Errorf("Not updating DC to %s (%s): we are also a DC", from, features)
	case j.dc != "" && !same(from, j.dc):
		return false, fmt.Errorf("New DC %s is not %s", from, j.dc)
	}
	changed = !same(j.dc, from)
	j.dc, j.features = from, features
	return changed, nil
}

// Ask begins to answer an offer: the CIB's version is looked up, and comes back
// with this number. Only the last offer counts.
func (j *Joiner) Ask() int {
	j.queries++
	j.query = j.queries
	return j.query
}

// Answer says whether the answer to the offer of that number is still wanted
// and whom it goes to.
func (j *Joiner) Answer(query int) (dc string, ok bool) {
	if query != j.query {
		return "", false
	}
	j.query = 0
	return j.dc, j.dc != ""
}
