"""The labs of the course. This is the only place that names them."""

LABS = {
    "lab1": "lab1_discrete_toys",
    "lab2": "lab2_two_atoms",
    "lab3": "lab3_classifier_guidance",
    "lab4": "lab4_mnist_cfg",
}
