package goption

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Help returns the text of --help (main), of --help-all (neither) or of
// --help-GROUP (goption.c: g_option_context_get_help).
func (c *Context) Help(main bool, group *Group) string {
	c.shadow()
	var b strings.Builder
	b.WriteString("Usage:\n  " + c.Program)
	if !c.NoHelp || len(c.Main.Entries) > 0 {
		b.WriteString(" [OPTION…]")
	}
	for i := range c.Main.Entries {
		if e := &c.Main.Entries[i]; e.Long == "" {
			if e.Arg != "" {
				b.WriteString(" " + e.Arg)
			}
			break
		}
	}
	if c.Parameters != "" {
		b.WriteString(" " + c.Parameters)
	}
	b.WriteString("\n\n")
	if c.Summary != "" {
		b.WriteString(c.Summary + "\n\n")
	}
	width := c.width()
	switch {
	case group != nil:
		group.help(&b, width)
	default:
		c.helpOptions(&b, width)
		for _, g := range c.Groups {
			if !main {
				g.help(&b, width)
			}
		}
		if c.Main.visible() {
			own := c.Main
			own.Title = "Application Options:"
			if c.NoHelp && len(c.Groups) == 0 {
				own.Title = "Options:"
			}
			own.help(&b, width)
		}
	}
	if c.Description != "" {
		b.WriteString(c.Description + "\n")
	}
	return b.String()
}

// helpOptions lists the options that show help.
func (c *Context) helpOptions(b *strings.Builder, width int) {
	if c.NoHelp {
		return
	}
	letter := 'h'
	if c.hasShortH() {
		letter = '?'
	}
	fmt.Fprintf(b, "Help Options:\n  -%c, --%-*s Show help options\n", letter, width-4, "help")
	if len(c.Groups) > 0 {
		fmt.Fprintf(b, "  --%-*s Show all help options\n", width, "help-all")
	}
	for _, g := range c.Groups {
		if g.visible() {
			fmt.Fprintf(b, "  --help-%-*s %s\n", width-5, g.Name, g.Help)
		}
	}
	b.WriteByte('\n')
}

// shadow renames options of groups whose long name is taken, and takes away
// letters that are taken, as the help shows them.
func (c *Context) shadow() {
	names, letters := map[string]bool{}, [256]bool{}
	see := func(e *Entry) {
		if letters[e.Short] {
			e.Short = 0
		} else {
			letters[e.Short] = true
		}
	}
	for i := range c.Main.Entries {
		names[c.Main.Entries[i].Long] = true
		see(&c.Main.Entries[i])
	}
	for _, g := range c.Groups {
		for i := range g.Entries {
			e := &g.Entries[i]
			if names[e.Long] {
				e.Long = g.Name + "-" + e.Long
			} else {
				names[e.Long] = true
			}
			see(e)
		}
	}
}

// width is the length of the longest option, with padding.
func (c *Context) width() int {
	width := len("-?, --help")
	if len(c.Groups) > 0 {
		width = max(width, len("--help-all"))
	}
	width = max(width, c.Main.width())
	for _, g := range c.Groups {
		width = max(width, len("--help-")+len(g.Name), g.width())
	}
	return width + 4
}

func (g *Group) width() (width int) {
	for i := range g.Entries {
		e := &g.Entries[i]
		if e.Flags&Hidden != 0 {
			continue
		}
		n := len(e.Long)
		if e.Short != 0 {
			n += len("-x, ")
		}
		if !e.noArg() && e.Arg != "" {
			n += 1 + utf8.RuneCountInString(e.Arg)
		}
		width = max(width, n)
	}
	return width
}

func (g *Group) visible() bool {
	for i := range g.Entries {
		if g.Entries[i].Flags&Hidden == 0 && g.Entries[i].Long != "" {
			return true
		}
	}
	return false
}

// help lists the group's options under its title.
func (g *Group) help(b *strings.Builder, width int) {
	if !g.visible() {
		return
	}
	b.WriteString(g.Title + "\n")
	for i := range g.Entries {
		e := &g.Entries[i]
		if e.Flags&Hidden != 0 || e.Long == "" {
			continue
		}
		line := "  --" + e.Long
		if e.Short != 0 {
			line = "  -" + string(rune(e.Short)) + ", --" + e.Long
		}
		if e.Arg != "" {
			line += "=" + e.Arg
		}
		fmt.Fprintf(b, "%s%*s %s\n", line, width+4-utf8.RuneCountInString(line), "", e.Help)
	}
	b.WriteByte('\n')
}

// Console returns text as g_print writes it where no locale is set: what is not ASCII becomes '?'.
func Console(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= utf8.RuneSelf {
			return '?'
		}
		return r
	}, text)
}
