"""The mathematics that Gaussian processes and samplers share: noise levels, forward and reverse steps, the bound."""
