package datapath

// stepNode is a step of a walk. Branches that part share what they have in common; only a state's last step changes.
type stepNode struct {
	Step
	prev *stepNode
	n    int
	// say makes the text that goes before Step.Text: most steps of most walks are never read.
	say func() string
}

// steps are the steps up to this one, with their texts.
func (n *stepNode) steps() []Step {
	if n == nil {
		return nil
	}
	list := make([]Step, n.n)
	for ; n != nil; n = n.prev {
		s := &list[n.n-1]
		*s = n.Step
		if n.say != nil {
			s.Text = n.say() + s.Text
		}
	}
	return list
}

// step is the state with one more step.
func (s state) step(ns *Namespace, stage Stage, text string) state {
	n := 1
	if s.steps != nil {
		n += s.steps.n
	}
	s.steps = &stepNode{
		Step: Step{Node: ns.Node, Namespace: ns.ID, Stage: stage, Packet: s.pkt, Text: text, Verdict: Pass}, prev: s.steps, n: n,
	}
	return s
}

// say is the state with one more step, whose text is made when somebody reads it.
func (s state) say(ns *Namespace, stage Stage, text func() string) state {
	s = s.step(ns, stage, "")
	s.steps.say = text
	return s
}

func (s state) last() *Step { return &s.steps.Step }
