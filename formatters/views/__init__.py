"""The subscription modal and the App Home tab."""
