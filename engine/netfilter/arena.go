package netfilter

// arena has what one Traverse makes on its way and nobody keeps: a walk through a cluster asks dozens of hooks, and this
// would be half of its garbage.
type arena struct {
	ways   blocks[way]
	leaves blocks[leaf]
	hops   blocks[hopList]
	frames blocks[frame]
	views  blocks[view]
}

func (a *arena) reset() {
	a.ways.reset()
	a.leaves.reset()
	a.hops.reset()
	a.frames.reset()
	a.views.reset()
}

// maxBlock bounds a block, and so what an idle arena keeps.
const maxBlock = 32

// blocks hands out zero values from blocks that grow. What was handed out stays where it is.
type blocks[T any] struct {
	block []T
	used  int
}

func (b *blocks[T]) next() *T {
	if b.used == len(b.block) {
		b.block, b.used = make([]T, min(max(2, 2*len(b.block)), maxBlock)), 0
	}
	b.used++
	return &b.block[b.used-1]
}

// reset takes all values back and keeps the last block.
func (b *blocks[T]) reset() {
	clear(b.block[:b.used])
	b.used = 0
}
