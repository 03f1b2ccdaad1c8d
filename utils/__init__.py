"""The package that the notebooks import: one concept per module, and no graded answer.

The four labs describe noise in four ways. This table maps them onto each other; `utils.conventions` holds it as data:

                 lab1                 lab2                lab3                   lab4
    -----------  -------------------  ------------------  ---------------------  ------------------
    module       utils.vp             utils.atoms         utils.diffusion        utils.paths
    process      variance preserving  variance exploding  DDPM                   flow matching
    time         float (b, 1, 1)      float (b, 1)        int (b,)               float (b, 1, 1, 1)
    clean_at     t = 0                t = 0               before t = 0           t = 1
    noise_at     t = 1                t = 1               t = T - 1              t = 0
    index_0      times(n)[0]: noise   times[0]: noise     betas[0]: least noise  ts[0]: noise
    clean        x0                   x0                  x0                     z
    noisy        x                    x                   x                      x
    data_scale   alpha(t)             1                   alpha_bars[t]**.5      alpha(t)
    noise_scale  sigma(t)             sigma(t)            (1-alpha_bars[t])**.5  beta(t)
    network      class logits         sigma * score       noise                  velocity
    guidance     classifier, w        none                classifier, w          no classifier, w

- Time runs from the data to the noise in labs 1 to 3, and from the noise to the data in lab 4. Every sampler starts at
  the noise.
- A noisy sample is always data_scale * data + noise_scale * noise, with standard normal noise. In lab 2 it is
  wrapped onto the ring.
- The same letter means different things. `beta` is the rate of noise in lab 1 (`utils.vp`), the variance that one step
  adds in lab 3 (`betas`), and the standard deviation of the noise in lab 4. `alpha` is the factor of the data in labs
  1 and 4, 1 - beta in lab 3 (`alphas`), and the concentration of a Dirichlet distribution in `utils.simplex`.
- The guidance scale is `w` everywhere. At w = 0 the class is ignored, at w = 1 the model is conditional, and beyond 1
  the class is exaggerated. Ho and Salimans (2022) call the same model w - 1.
"""
