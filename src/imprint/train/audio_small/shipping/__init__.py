"""From a trained network to what the package ships: graph, card and bank."""
