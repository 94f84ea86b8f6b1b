"""Work on machines of a Dask cluster, which gives what processes of this machine would."""
