package xpath

// Compile reads an expression.
func Compile(expr string) (*Expr, error) {
	if len(expr) > maxLength {
		return nil, &SyntaxError{expr[:40] + "…", maxLength, "the expression is too long"}
	}
	toks, err := lex(expr)
	if err != nil {
		return nil, err
	}
	p := &parser{expr: expr, toks: toks}
	n := p.or()
	if p.err == nil && p.cur().kind != tEnd {
		p.fail("unexpected " + p.cur().text)
	}
	if p.err != nil {
		return nil, p.err
	}
	return &Expr{expr, n, maxVisits}, nil
}

type parser struct {
	expr  string
	toks  []token
	pos   int
	depth int
	err   error
}

func (p *parser) cur() token { return p.toks[p.pos] }

func (p *parser) next() token {
	t := p.toks[p.pos]
	if t.kind != tEnd {
		p.pos++
	}
	return t
}

func (p *parser) fail(text string) {
	if p.err == nil {
		p.err = &SyntaxError{p.expr, p.cur().at, text}
		p.pos = len(p.toks) - 1
	}
}

func (p *parser) is(k kind, text string) bool { return p.cur().kind == k && p.cur().text == text }

func (p *parser) symbol(text string) bool {
	if p.is(tSymbol, text) {
		p.pos++
		return true
	}
	return false
}

func (p *parser) want(text string) {
	if !p.symbol(text) {
		p.fail(text + " is missing")
	}
}

// binary reads operands of a level of precedence, joined by its operators.
func (p *parser) binary(ops []string, operand func() node) node {
	left := operand()
	for p.err == nil {
		t := p.cur()
		if t.kind != tSymbol && t.kind != tOperator || !contains(ops, t.text) || t.text == "*" && t.kind != tOperator {
			return left
		}
		p.pos++
		left = join(t.text, left, operand())
	}
	return left
}

// join makes the node of an operator. @name='text' is what predicates mostly
// are, and has a node of its own.
func join(op string, left, right node) node {
	path, isPath := left.(*pathNode)
	lit, isLit := right.(literalNode)
	if op == "=" && isPath && isLit && lit.v.Kind == String && path.from == nil && !path.absolute && len(path.steps) == 1 {
		if s := path.steps[0]; s.axis == axisAttribute && s.test == testName && s.preds == nil {
			return &attrEquals{s.name, lit.v.Str}
		}
	}
	return &binaryNode{op, left, right}
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

func (p *parser) or() node {
	if p.depth++; p.depth > maxNesting {
		p.fail("the expression is nested too deep")
		return literalNode{}
	}
	defer func() { p.depth-- }()
	return p.binary([]string{"or"}, p.and)
}

func (p *parser) and() node { return p.binary([]string{"and"}, p.equality) }

func (p *parser) equality() node { return p.binary([]string{"=", "!="}, p.relational) }

func (p *parser) relational() node { return p.binary([]string{"<", "<=", ">", ">="}, p.additive) }

func (p *parser) additive() node { return p.binary([]string{"+", "-"}, p.multiplicative) }

func (p *parser) multiplicative() node { return p.binary([]string{"*", "div", "mod"}, p.unary) }

func (p *parser) unary() node {
	minus := 0
	for p.symbol("-") {
		minus++
	}
	n := p.binary([]string{"|"}, p.path)
	if minus > 0 {
		return &negateNode{n, minus%2 == 1}
	}
	return n
}

// path reads PathExpr: a location path, or a filter expression with steps behind it.
func (p *parser) path() node {
	t := p.cur()
	if t.kind == tLiteral || t.kind == tNumber || t.kind == tSymbol && (t.text == "(" || t.text == "$") || p.functionCall() {
		return p.filtered()
	}
	path := &pathNode{}
	switch {
	case p.symbol("//"):
		path.absolute = true
		path.steps = append(path.steps, anyBelow())
	case p.symbol("/"):
		path.absolute = true
		if !p.startsStep() {
			return path
		}
	}
	p.steps(path)
	return path
}

// filtered reads a primary expression, its predicates and steps.
func (p *parser) filtered() node {
	n := p.primary()
	var preds []node
	for p.err == nil && p.is(tSymbol, "[") {
		preds = append(preds, p.predicate())
	}
	if preds != nil {
		n = &filterNode{n, preds}
	}
	path := &pathNode{from: n}
	switch {
	case p.symbol("//"):
		path.steps = append(path.steps, anyBelow())
	case p.symbol("/"):
	default:
		return n
	}
	p.steps(path)
	return path
}

func anyBelow() *step { return &step{axis: axisDescendantOrSelf, test: testNode} }

// functionCall says whether a call of a function comes, and not a node test that looks like it.
func (p *parser) functionCall() bool {
	if p.cur().kind != tName || p.toks[p.pos+1].kind != tSymbol || p.toks[p.pos+1].text != "(" {
		return false
	}
	_, isType := nodeType(p.cur().text)
	return !isType
}

func (p *parser) startsStep() bool {
	t := p.cur()
	return t.kind == tName || t.kind == tSymbol && (t.text == "." || t.text == ".." || t.text == "@" || t.text == "*")
}

func (p *parser) steps(path *pathNode) {
	for p.err == nil {
		path.add(p.step())
		switch {
		case p.symbol("//"):
			path.add(anyBelow())
		case p.symbol("/"):
		default:
			return
		}
	}
}

func (p *parser) step() *step {
	switch {
	case p.symbol("."):
		return &step{axis: axisSelf, test: testNode}
	case p.symbol(".."):
		return &step{axis: axisParent, test: testNode}
	}
	s := &step{axis: axisChild}
	if p.symbol("@") {
		s.axis = axisAttribute
	} else if p.cur().kind == tName && p.toks[p.pos+1].kind == tSymbol && p.toks[p.pos+1].text == "::" {
		name := p.next().text
		p.next()
		axis, ok := axisOf(name)
		if !ok {
			p.fail("there is no axis " + name)
		}
		s.axis = axis
	}
	p.nodeTest(s)
	for p.err == nil && p.is(tSymbol, "[") {
		n := p.predicate()
		s.preds = append(s.preds, n)
		s.positional = s.positional || n.positional() || n.numeric()
	}
	return s
}

func (p *parser) nodeTest(s *step) {
	t := p.next()
	switch {
	case t.kind == tSymbol && t.text == "*":
		s.test = testPrincipal
	case t.kind == tName:
		typ, isType := nodeType(t.text)
		if !isType || !p.is(tSymbol, "(") {
			if len(t.text) > 2 && t.text[len(t.text)-2:] == ":*" {
				s.test, s.name = testPrefix, t.text[:len(t.text)-1]
				return
			}
			s.test, s.name = testName, t.text
			return
		}
		p.next()
		s.test = typ
		if typ == testInstruction && p.cur().kind == tLiteral {
			p.next()
		}
		p.want(")")
	default:
		if t.kind != tEnd {
			p.pos--
		}
		p.fail("a step is missing")
	}
}

func (p *parser) predicate() node {
	p.want("[")
	n := p.or()
	p.want("]")
	return n
}

func (p *parser) primary() node {
	t := p.next()
	switch {
	case t.kind == tLiteral:
		return literalNode{Value{Kind: String, Str: t.text}}
	case t.kind == tNumber:
		return literalNode{Value{Kind: Number, Num: t.num}}
	case t.kind == tSymbol && t.text == "(":
		n := p.or()
		p.want(")")
		return n
	case t.kind == tName:
		p.next()
		var args []node
		if !p.symbol(")") {
			for p.err == nil {
				args = append(args, p.or())
				if !p.symbol(",") {
					p.want(")")
					break
				}
			}
		}
		f, ok := functionOf(t.text)
		switch {
		case p.err != nil:
		case !ok:
			p.pos = max(p.pos-1, 0)
			p.fail("there is no function " + t.text)
		case len(args) < f.min || f.max >= 0 && len(args) > f.max:
			p.fail("wrong number of arguments for " + t.text)
		case f.sets && len(args) > 0 && args[0].kind() != NodeSet:
			p.fail(t.text + " wants a set of nodes")
		}
		return &callNode{t.text, f, args}
	}
	p.fail("variables are not supported")
	return literalNode{}
}
