"""Classical vision methods that assist the network: flow, colours, edges, GrabCut."""
