"""The acceptor's side of the DICOM upper layer: connections, PDUs, negotiation, command sets."""
