"""What classical vision says beside the network: flow, colours, edges, GrabCut."""
