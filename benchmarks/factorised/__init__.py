"""What factors of low rank cost and what recovery gives back, by how ranks are chosen and factors are found."""
