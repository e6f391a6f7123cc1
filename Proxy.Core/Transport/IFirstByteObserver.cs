namespace TorBalancer.Transport;

/// <summary>Waits for a byte of the worker's. An interface and no delegate: whoever waits is there already, for every connection.</summary>
internal interface IFirstByteObserver
{
    /// <summary>Told by whoever moves bytes; it must neither wait nor throw.</summary>
    void FirstByteCame();
}
