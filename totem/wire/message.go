package wire

// Message holds one parsed message of any type: the field that Header.Type
// names is filled, the others are left from earlier. It is meant to be used again,
// so that parsing allocates nothing once its lists have grown. Owned by the loop.
type Message struct {
	Header
	Token       Token
	Mcast       Mcast
	MergeDetect MergeDetect
	Join        Join
	CommitToken CommitToken
	HoldCancel  HoldCancel
}

// Parse reads one datagram: byte order, length, sanity. After an error the
// content is undefined. Bytes after the message are ignored, as upstream does.
func (m *Message) Parse(b []byte) error {
	c := cursor{b: b}
	if err := m.Header.parse(&c); err != nil {
		return err
	}
	switch m.Type {
	case TypeToken:
		return m.Token.parse(m.Header, &c)
	case TypeMcast:
		return m.Mcast.parse(m.Header, &c)
	case TypeMergeDetect:
		return m.MergeDetect.parse(m.Header, &c)
	case TypeJoin:
		return m.Join.parse(m.Header, &c)
	case TypeCommitToken:
		return m.CommitToken.parse(m.Header, &c)
	case TypeHoldCancel:
		return m.HoldCancel.parse(m.Header, &c)
	}
	return ErrType
}

// Append writes the message that Type names.
func (m *Message) Append(b []byte) []byte {
	switch m.Type {
	case TypeToken:
		return m.Token.Append(b)
	case TypeMcast:
		return m.Mcast.Append(b)
	case TypeMergeDetect:
		return m.MergeDetect.Append(b)
	case TypeJoin:
		return m.Join.Append(b)
	case TypeCommitToken:
		return m.CommitToken.Append(b)
	case TypeHoldCancel:
		return m.HoldCancel.Append(b)
	}
	panic("wire: Append of an unknown type")
}

// String is the one text form of messages, for traces and stories.
func (m *Message) String() string {
	switch m.Type {
	case TypeToken:
		return m.Token.String()
	case TypeMcast:
		return m.Mcast.String()
	case TypeMergeDetect:
		return m.MergeDetect.String()
	case TypeJoin:
		return m.Join.String()
	case TypeCommitToken:
		return m.CommitToken.String()
	case TypeHoldCancel:
		return m.HoldCancel.String()
	}
	return m.Type.String()
}
