"""What all pages share: navigation, sign-in, the store, the palette."""
