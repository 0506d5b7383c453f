//! DHCP requests, as far as they tell who asks.
