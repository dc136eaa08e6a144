// Computes features with the C API of TensorFlow's own wheel:
//
//   serving_c MODEL INPUT OUTPUT INDEX HEIGHT WIDTH <images.raw >features.raw
//
// Images and features are raw float32, [1, H, W, C]. INPUT, OUTPUT and INDEX come
// from saved_model_cli, which prints OUTPUT:INDEX, as in
// StatefulPartitionedCall_3:0.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <tensorflow/c/c_api.h>

static void check(TF_Status* status) {
  if (TF_GetCode(status) != TF_OK) {
    fprintf(stderr, "error: %s\n", TF_Message(status));
    exit(1);
  }
}

int main(int argc, char** argv) {
  if (argc != 7) {
    fprintf(stderr, "usage: serving_c MODEL INPUT OUTPUT INDEX HEIGHT WIDTH\n");
    return 2;
  }
  TF_Status* status = TF_NewStatus();
  TF_Graph* graph = TF_NewGraph();
  TF_SessionOptions* options = TF_NewSessionOptions();
  const char* tags[] = {"serve"};
  TF_Session* session = TF_LoadSessionFromSavedModel(
      options, NULL, argv[1], tags, 1, graph, NULL, status);
  check(status);

  TF_Output input = {TF_GraphOperationByName(graph, argv[2]), 0};
  TF_Output output = {TF_GraphOperationByName(graph, argv[3]), atoi(argv[4])};
  if (input.oper == NULL || output.oper == NULL) {
    fprintf(stderr, "error: the model has no %s or no %s\n", argv[2], argv[3]);
    return 1;
  }
  int64_t shape[] = {1, atoi(argv[5]), atoi(argv[6]), 3};
  size_t size = shape[1] * shape[2] * shape[3] * sizeof(float);
  TF_Tensor* images = TF_AllocateTensor(TF_FLOAT, shape, 4, size);
  if (fread(TF_TensorData(images), 1, size, stdin) != size) {
    fprintf(stderr, "error: %zu bytes are needed\n", size);
    return 1;
  }
  TF_Tensor* features = NULL;
  TF_SessionRun(session, NULL, &input, &images, 1, &output, &features, 1, NULL,
                0, NULL, status);
  check(status);
  fwrite(TF_TensorData(features), 1, TF_TensorByteSize(features), stdout);

  TF_DeleteTensor(features);
  TF_DeleteTensor(images);
  TF_DeleteSession(session, status);
  check(status);
  TF_DeleteSessionOptions(options);
  TF_DeleteGraph(graph);
  TF_DeleteStatus(status);
  return 0;
}
