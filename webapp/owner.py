"""Who uploads. Until there are accounts, everybody is the same owner, and every photo is public."""

EVERYBODY = "everybody"
